/* SPDX-License-Identifier: Apache-2.0 */
#include "format.h"

#include <stdint.h>
#include <string.h>

/* Each element type, its size, and the letters that may stand for it where they have that size. */
static const struct element {
    const char *name, *letters;
    size_t size;
} elements[] = {
    {"int8", "b", 1},    {"uint8", "B", 1},    {"int16", "h", 2},   {"uint16", "H", 2},
    {"int32", "il", 4},  {"uint32", "IL", 4},  {"int64", "ql", 8},  {"float32", "f", 4},
    {"float64", "d", 8},
};

static const struct element *find(char want) {
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
        if (elements[i].letters[0] == want) return &elements[i];
    return NULL;
}

static int little_endian(void) {
    const uint16_t one = 1;
    unsigned char first;
    memcpy(&first, &one, 1);
    return first == 1;
}

int lk_same_format(const char *got, size_t size, char want) {
    const struct element *element = find(want);
    if (!element || size != element->size) return 0;
    if (!got) return want == 'B';
    if (*got == '@' || *got == '=')
        got++;
    else if (*got == '<' || *got == '>' || *got == '!') { /* '!' is big-endian, the order of the network */
        if ((*got == '<') != little_endian() && size > 1) return 0;
        got++;
    }
    return *got && strchr(element->letters, *got) && !got[1];
}

const char *lk_format_name(char want) {
    const struct element *element = find(want);
    return element ? element->name : NULL;
}

size_t lk_format_size(char want) {
    const struct element *element = find(want);
    return element ? element->size : 0;
}
