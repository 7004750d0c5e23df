/* SPDX-License-Identifier: Apache-2.0
 * What the native tests share: memory that ends where a page without access begins. */
#ifndef LK_TEST_GUARD_H
#define LK_TEST_GUARD_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#ifdef _WIN32
#include <windows.h>

static inline void *guarded(size_t size) {
    SYSTEM_INFO info;
    GetSystemInfo(&info);
    const size_t page = info.dwPageSize, pages = (size + page - 1) / page + 1;
    DWORD before;
    char *base = VirtualAlloc(NULL, pages * page, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    if (!base || !VirtualProtect(base + (pages - 1) * page, page, PAGE_NOACCESS, &before)) exit(2);
    return base + (pages - 1) * page - size;
}
#else
#include <sys/mman.h>
#include <unistd.h>

/* size bytes that end at a page without access */
static inline void *guarded(size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), pages = (size + page - 1) / page + 1;
    char *base = mmap(NULL, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED || mprotect(base + (pages - 1) * page, page, PROT_NONE)) exit(2);
    return base + (pages - 1) * page - size;
}
#endif

/* The FNV-1a hash of some bytes, on from an earlier one; the first is LK_DIGEST. */
#define LK_DIGEST 2166136261u
static inline uint32_t digest(uint32_t sum, const void *data, size_t size) {
    for (size_t i = 0; i < size; i++) sum = (sum ^ ((const uint8_t *)data)[i]) * 16777619u;
    return sum;
}

#endif
