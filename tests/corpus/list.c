/* A list of numbers. */
#ifndef LIST_H
#define LIST_H

#include <stdlib.h>

#define MAX(a, b) ((a) > (b) ? (a) : (b))

/**
 * One link of the chain.
 */
struct node { // [node
    int value;
    struct node *next;
}; // node]

typedef struct { // [list
    struct node *head;
    size_t length;
} list; // list]

/* Makes an empty list. */
static list *list_new(void) { // [list_new
    return calloc(1, sizeof(list));
} // list_new]

// Frees every link, then the list.
void list_free(list *self) { // [list_free
    struct node *at = self->head;
    while (at) {
        struct node *next = at->next;
        free(at);
        at = next;
    }
    free(self);
} // list_free]

int (*chosen(int which))(int) { // [chosen
    return which ? abs : 0;
} // chosen]

/* Sorts by exchanging, which is slow and short. */
int *
sorted(const int *values, size_t count) { // [sorted
    int *out = malloc(count * sizeof *out);
    for (size_t i = 0; i < count; i++) {
        out[i] = values[i];
        for (size_t j = i; j > 0; j--) {
            if (out[j] < out[j - 1]) {
                int kept = out[j];
                out[j] = out[j - 1];
                out[j - 1] = kept;
            } else {
                break; /* everything before is sorted already, so nothing is left to do */
            }
        }
    }
    return out;
} // sorted]

#endif
