/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* main() for a fuzzer without libFuzzer: runs each file named, and each file of
 * each directory named, once, in the order of their names. So any compiler's
 * build replays the corpus; what a finding was, stays one. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "fuzz.h"

#define FILE_BYTES_MAX (1u << 20)
#define PATH_BYTES_MAX 4096

static int
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes;
	size_t n;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	bytes = malloc(FILE_BYTES_MAX);
	n = bytes == NULL ? 0 : fread(bytes, 1, FILE_BYTES_MAX, f);
	fclose(f);
	/* As large as the input and no larger: a sanitizer sees an overrun. */
	bytes = realloc(bytes, n == 0 ? 1 : n);
	if (bytes == NULL)
		return -1;
	if (getenv("PMTCP_REPLAY_VERBOSE") != NULL)
		fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(bytes, n);
	free(bytes);
	return 1;
}

static int
run_directory(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, alphasort);
	int done = 0;

	if (n < 0) {
		perror(path);
		return -1;
	}
	for (int i = 0; i < n; i++) {
		char name[PATH_BYTES_MAX];

		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.' && done >= 0)
			done = run_file(name) < 0 ? -1 : done + 1;
		free(entries[i]);
	}
	free(entries);
	return done;
}

int
main(int argc, char **argv)
{
	int total = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;
		int n;

		if (stat(argv[i], &st) != 0) {
			perror(argv[i]);
			return 1;
		}
		n = S_ISDIR(st.st_mode) ? run_directory(argv[i]) : run_file(argv[i]);
		if (n < 0)
			return 1;
		total += n;
	}
	printf("%d inputs replayed\n", total);
	return total == 0;
}
