/* SPDX-License-Identifier: Apache-2.0
 * Element formats as the platforms spell them: 'l' and 'L' have four bytes on Windows and on 32-bit systems. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "binding/format.h"

static const struct { const char *got; size_t size; char want; int same; } cases[] = {
    {"L", 4, 'I', 1}, {"l", 4, 'i', 1}, {"I", 4, 'I', 1}, {"i", 4, 'i', 1},  /* whatever the letter, 32 bits */
    {"L", 8, 'I', 0}, {"l", 8, 'i', 0}, {"l", 8, 'q', 1}, {"q", 8, 'q', 1}, {"l", 4, 'q', 0},
    {"L", 4, 'i', 0}, {"l", 4, 'I', 0}, {"I", 4, 'i', 0}, {"Q", 8, 'q', 0},  /* a sign is part of a type */
    {"@L", 4, 'I', 1}, {"=l", 4, 'i', 1}, {"=l", 4, 'q', 0},
    {NULL, 1, 'B', 1}, {NULL, 1, 'b', 0}, {"B", 1, 'B', 1}, {"b", 1, 'B', 0}, {"?", 1, 'B', 0}, {"c", 1, 'b', 0},
    {"h", 2, 'h', 1}, {"H", 2, 'h', 0}, {"f", 4, 'f', 1}, {"d", 8, 'f', 0}, {"e", 2, 'h', 0}, {"f", 4, 'i', 0},
    {"d", 8, 'd', 1}, {"f", 4, 'd', 0}, {"", 4, 'i', 0}, {"ii", 8, 'q', 0}, {"i", 4, 'x', 0}, {"T{i:x:}", 4, 'i', 0}, {"<", 4, 'i', 0}, {"=", 4, 'f', 0},
};

int main(void) {
    int failures = 0;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (lk_same_format(cases[i].got, cases[i].size, cases[i].want) == cases[i].same) continue;
        printf("FAILED '%s' of %d bytes for '%c'\n", cases[i].got ? cases[i].got : "none", (int)cases[i].size, cases[i].want);
        failures++;
    }
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    const char *own = first ? "<i" : ">i", *other = first ? ">i" : "<i";
    if (!lk_same_format(own, 4, 'i') || lk_same_format(other, 4, 'i')) printf("FAILED byte order\n"), failures++;
    if (!lk_same_format(first ? ">b" : "<b", 1, 'b')) printf("FAILED byte order of one byte\n"), failures++;
    if (lk_format_name('x') || strcmp(lk_format_name('I'), "uint32")) printf("FAILED names\n"), failures++;
    printf(failures ? "%d checks failed\n" : "all checks passed\n", failures);
    return failures != 0;
}
