/* SPDX-License-Identifier: Apache-2.0 */
#include "http_server_internal.h"

#include <assert.h>
#include <string.h>
#include <sys/mman.h>

static const size_t piece_alignment = 64; /* a cache line: neighbours do not share one */

enum error http_pool_map(struct http_pool *self, unsigned count, size_t piece_bytes)
{
    size_t piece = (piece_bytes + piece_alignment - 1) / piece_alignment * piece_alignment;
    size_t bytes;
    void *memory;

    assert(count > 0 && piece_bytes >= sizeof(void *));
    if (__builtin_mul_overflow(piece, (size_t)count, &bytes)) {
        return ERR_NO_SPACE;
    }
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
    if (memory == MAP_FAILED) {
        return ERR_IO;
    }
    *self = (struct http_pool){.memory = memory, .piece_bytes = piece, .count = count};
    pthread_mutex_init(&self->lock, NULL);
    return OK;
}

void http_pool_unmap(struct http_pool *self)
{
    if (self->memory == NULL) {
        return;
    }
    assert(self->taken == 0);
    munmap(self->memory, self->piece_bytes * self->count);
    pthread_mutex_destroy(&self->lock);
    self->memory = NULL;
}

void *http_pool_take(struct http_pool *self)
{
    void *piece = NULL;

    pthread_mutex_lock(&self->lock);
    if (self->free != NULL) {
        piece = self->free;
        memcpy(&self->free, piece, sizeof(self->free));
        self->taken++;
    } else if (self->fresh < self->count) {
        piece = self->memory + self->piece_bytes * self->fresh;
        self->fresh++;
        self->taken++;
    }
    pthread_mutex_unlock(&self->lock);
    return piece;
}

void http_pool_give(struct http_pool *self, void *piece)
{
    pthread_mutex_lock(&self->lock);
    assert(self->taken > 0);
    memcpy(piece, &self->free, sizeof(self->free)); /* a free piece begins with the next one */
    self->free = piece;
    self->taken--;
    pthread_mutex_unlock(&self->lock);
}

unsigned http_pool_taken(struct http_pool *self)
{
    unsigned taken;

    pthread_mutex_lock(&self->lock);
    taken = self->taken;
    pthread_mutex_unlock(&self->lock);
    return taken;
}
