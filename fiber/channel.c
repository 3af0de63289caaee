/* SPDX-License-Identifier: MIT */
/*
 * A channel is a ring of items between two queues of fibers:
 *
 *   senders wait only while the ring is full      (capacity 0: always full)
 *   receivers wait only while it is empty         (and always empty)
 *
 *              +---+---+---+---+---+---+
 *      in ---> |   | c | b | a |   |   | ---> out
 *              +---+---+---+---+---+---+
 *
 * Who waits is a case, that of a weft_select or one that a plain call has made
 * for itself; its item lies with the waiting fiber and is copied from or to
 * there by whoever comes to meet it. A case that has been chosen is done.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fiber/sync.h"

struct weft_channel {
	struct weft__queue senders, receivers;
	char *in, *out, *end;           /* of the ring */
	size_t count, capacity, item_size;
	bool closed;
	_Alignas(max_align_t) char ring[];
};

struct weft_channel *
weft_channel_new(size_t item_size, size_t capacity)
{
	struct weft_channel *channel;

	if (item_size > 0 && capacity > (SIZE_MAX - sizeof *channel) / item_size) {
		errno = ENOMEM;
		return NULL;
	}
	channel = malloc(sizeof *channel + item_size * capacity);
	if (channel == NULL)
		return NULL;
	*channel = (struct weft_channel){ .capacity = capacity,
	    .item_size = item_size };
	channel->in = channel->out = channel->ring;
	channel->end = channel->ring + item_size * capacity;
	return channel;
}

void
weft_channel_free(struct weft_channel *channel)
{
	if (channel == NULL)
		return;
	weft__queue_wake_all(&channel->senders, EBADF);
	weft__queue_wake_all(&channel->receivers, EBADF);
	free(channel);
}

int
weft_channel_close(struct weft_channel *channel)
{
	channel->closed = true;
	weft__queue_wake_all(&channel->senders, EPIPE);
	weft__queue_wake_all(&channel->receivers, 0);   /* their result is 0 */
	return 0;
}

/* --- moving an item */

/* Pointers are what is sent most. */
static inline void
copy(const struct weft_channel *channel, void *to, const void *from)
{
	if (channel->item_size == sizeof(void *))
		memcpy(to, from, sizeof(void *));
	else if (channel->item_size > 0)
		memcpy(to, from, channel->item_size);
}

static inline char *
next_place(struct weft_channel *channel, char *place)
{
	place += channel->item_size;
	return place != channel->end ? place : channel->ring;
}

static inline void
put(struct weft_channel *channel, const void *item)
{
	copy(channel, channel->in, item);
	channel->in = next_place(channel, channel->in);
	channel->count++;
}

static inline void
get(struct weft_channel *channel, void *item)
{
	copy(channel, item, channel->out);
	channel->out = next_place(channel, channel->out);
	channel->count--;
}

static inline struct weft_case *
first(struct weft__queue *queue)
{
	struct weft__node *node = weft__queue_empty(queue) ? NULL : weft__queue_first(queue);

	return node == NULL ? NULL : (struct weft_case *)
	    ((char *)node - offsetof(struct weft_case, node));
}

static inline int
try_send(struct weft_case *self)
{
	struct weft_channel *channel = self->channel;
	struct weft_case *receiver;

	if (channel->closed)
		return EPIPE;
	self->result = 0;
	if ((receiver = first(&channel->receivers)) != NULL) {
		copy(channel, receiver->item, self->item);
		receiver->result = 1;
		weft__queue_choose(&channel->receivers, &receiver->node, 0);
		return 0;
	}
	if (channel->count == channel->capacity)
		return EAGAIN;
	put(channel, self->item);
	return 0;
}

static inline int
try_receive(struct weft_case *self)
{
	struct weft_channel *channel = self->channel;
	struct weft_case *sender = first(&channel->senders);

	self->result = 1;
	if (channel->count > 0) {
		get(channel, self->item);
		if (sender != NULL)
			put(channel, sender->item);
	} else if (sender != NULL) {
		copy(channel, self->item, sender->item);
	} else {
		self->result = 0;
		return channel->closed ? 0 : EAGAIN;
	}
	if (sender != NULL)
		weft__queue_choose(&channel->senders, &sender->node, 0);
	return 0;
}

int
weft__channel_try(struct weft_case *self)
{
	return self->kind == WEFT_CASE_SEND ? try_send(self) : try_receive(self);
}

struct weft__queue *
weft__channel_queue(struct weft_case *self)
{
	return self->kind == WEFT_CASE_SEND ? &self->channel->senders :
	    &self->channel->receivers;
}

/* --- plain calls: a case on its own */

static WEFT__APART int
wait_to_be_met(struct weft_loop *loop, struct weft_case *self, int64_t deadline)
{
	struct weft__queue *queue = weft__channel_queue(self);
	int error;

	weft__queue_add(queue, &self->node, loop->front.current);
	weft__subject(loop, (uint64_t)(uintptr_t)self->channel);
	error = weft__park(loop, deadline, self->kind == WEFT_CASE_SEND ?
	    WEFT__FOR_SEND : WEFT__FOR_RECEIVE);
	if (self->node.queued)
		weft__queue_remove(queue, &self->node);
	return error;
}

static inline int
transfer(struct weft_case *self, int (*attempt)(struct weft_case *), int64_t deadline)
{
	struct weft_loop *loop = weft__loop();
	int error;

	if (loop == NULL)
		return -1;
	error = weft__sync_enter(loop, deadline);
	if (error == 0)
		error = attempt(self);
	if (error == EAGAIN)
		error = wait_to_be_met(loop, self, deadline);
	return error == 0 ? self->result : weft__sync_result(error);
}

int
weft_channel_send(struct weft_channel *channel, const void *item, int64_t deadline)
{
	struct weft_case self;          /* most of it is not used */

	self.kind = WEFT_CASE_SEND;
	self.channel = channel;
	self.item = (void *)(uintptr_t)item;
	return transfer(&self, try_send, deadline);
}

int
weft_channel_receive(struct weft_channel *channel, void *item, int64_t deadline)
{
	struct weft_case self;

	self.kind = WEFT_CASE_RECEIVE;
	self.channel = channel;
	self.item = item;
	return transfer(&self, try_receive, deadline);
}
