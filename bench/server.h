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
#include <stdlib.h>
#include <string.h>

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

/* Bytes: what is resident, of that what belongs to it (a page that it shares
 * with another process counts half), and page tables, which are in neither. */
struct server_memory {
	int64_t resident, proportional, tables;
};

/* Bytes, from the line of a file of /proc that begins so; 0 if there is none. */
static inline int64_t
server_kilobytes(int pid, const char *file, const char *begin)
{
	char path[64], line[128];
	long long kilobytes = 0;
	size_t length = strlen(begin);
	FILE *f;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	f = pid > 0 ? fopen(path, "re") : NULL;
	while (f != NULL && kilobytes == 0 && fgets(line, sizeof line, f) != NULL)
		if (strncmp(line, begin, length) == 0)
			kilobytes = strtoll(line + length, NULL, 10);
	if (f != NULL)
		fclose(f);
	return kilobytes * 1024;
}

static inline struct server_memory
server_memory(int pid)
{
	return (struct server_memory){
		.resident = server_kilobytes(pid, "smaps_rollup", "Rss:"),
		.proportional = server_kilobytes(pid, "smaps_rollup", "Pss:"),
		.tables = server_kilobytes(pid, "status", "VmPTE:")
	};
}

static inline void
fcntl_blocking(int fd)
{
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
}

#endif
