/* SPDX-License-Identifier: MIT */
/*
 * What the system tells about a server that is measured.
 */
#ifndef WEFT_BENCH_SERVER_H
#define WEFT_BENCH_SERVER_H

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

/* Nanoseconds that all threads of a process have run; 0: not known. */
static inline uint64_t
server_cpu(int pid)
{
	char path[300];
	uint64_t sum = 0, one;
	struct dirent *task;
	DIR *tasks;

	snprintf(path, sizeof path, "/proc/%d/task", pid);
	tasks = pid > 0 ? opendir(path) : NULL;
	while (tasks != NULL && (task = readdir(tasks)) != NULL) {
		FILE *f;

		snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, task->d_name);
		f = fopen(path, "re");
		if (f != NULL && fscanf(f, "%" SCNu64, &one) == 1)
			sum += one;
		if (f != NULL)
			fclose(f);
	}
	if (tasks != NULL)
		closedir(tasks);
	return sum;
}

/* Its resident memory in bytes. */
static inline int64_t
server_memory(int pid)
{
	char path[64], line[128];
	long long kilobytes = 0;
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
	f = pid > 0 ? fopen(path, "re") : NULL;
	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		if (sscanf(line, "Rss: %lld", &kilobytes) == 1)
			break;
	if (f != NULL)
		fclose(f);
	return kilobytes * 1024;
}

static inline void
fcntl_blocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

#endif
