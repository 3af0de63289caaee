/* SPDX-License-Identifier: MIT */
/*
 * tests/gate.h - where a thread waits until another one lets it pass. A counting
 * semaphore, since macOS has none without a name.
 */
#ifndef WEFT_TESTS_GATE_H
#define WEFT_TESTS_GATE_H

#include <pthread.h>

struct gate {
	pthread_mutex_t lock;
	pthread_cond_t opened;
	int count;              /* how many may pass */
};

static inline void
gate_close(struct gate *g)
{
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->opened, NULL);
	g->count = 0;
}

/* For one. */
static inline int
gate_open(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->count++;
	pthread_cond_signal(&g->opened);
	return pthread_mutex_unlock(&g->lock);
}

static inline int
gate_pass(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	while (g->count == 0)
		pthread_cond_wait(&g->opened, &g->lock);
	g->count--;
	return pthread_mutex_unlock(&g->lock);
}

#endif
