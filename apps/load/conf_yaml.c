/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* The YAML file. Its schema is made from the table of words, all of them optional
 * scalars, which then go through the same parser as the flags. libcyaml loads the
 * values; a first pass with libyaml finds what libcyaml does not tell: at which
 * line a key stands. */

#include "load/conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cyaml/cyaml.h>
#include <yaml.h>

#define KEYS_MAX  LOAD_OPTS_MAX
#define VALUE_MAX 4096

struct values {
	char *text[KEYS_MAX];
};

struct source {
	const char *path;
	const struct arg *table;
	uint32_t n;
	size_t line[KEYS_MAX]; /* of each key, from 1; 0: not there */
	char *err;
};

/* Where each word stood, for messages about what belongs together. */
static struct {
	char path[128];
	const char *name[KEYS_MAX];
	size_t line[KEYS_MAX];
} origin;

/* The values live as long as the configuration that points to them. */
static struct values *loaded;
static struct cyaml_schema_field fields[KEYS_MAX + 1];
static struct cyaml_schema_value root;

static uint32_t
find_key(const struct source *s, const char *key)
{
	uint32_t i = 0;

	while (i < s->n && strcmp(s->table[i].name, key) != 0)
		i++;
	return i;
}

static int
index_pair(struct source *s, yaml_document_t *doc, const yaml_node_pair_t *pair)
{
	const yaml_node_t *key = yaml_document_get_node(doc, pair->key);
	const yaml_node_t *value = yaml_document_get_node(doc, pair->value);
	const char *name =
			key->type == YAML_SCALAR_NODE ? (const char *)key->data.scalar.value : "?";
	size_t line = key->start_mark.line + 1;
	uint32_t i = find_key(s, name);
	const char *what = NULL;

	if (i == s->n)
		what = "no such key; the words are those of the flags, see --help";
	else if (s->line[i] != 0)
		what = "given twice";
	else if (value->type != YAML_SCALAR_NODE || value->data.scalar.length == 0)
		what = "needs one plain value";
	else if (strcmp(name, "config") == 0)
		what = "a file cannot name another one";
	if (what != NULL) {
		snprintf(s->err, LOAD_ERR_LEN, "%s:%zu: %s: %s", s->path, line, name, what);
		return -EINVAL;
	}
	s->line[i] = line;
	return 0;
}

static int
index_document(struct source *s, yaml_document_t *doc)
{
	const yaml_node_t *top = yaml_document_get_root_node(doc);
	int rc = 0;

	if (top == NULL) /* an empty file is an empty configuration */
		return 0;
	if (top->type != YAML_MAPPING_NODE) {
		snprintf(s->err, LOAD_ERR_LEN, "%s:%zu: must be lines of KEY: VALUE", s->path,
				top->start_mark.line + 1);
		return -EINVAL;
	}
	for (const yaml_node_pair_t *p = top->data.mapping.pairs.start;
			p < top->data.mapping.pairs.top && rc == 0; p++)
		rc = index_pair(s, doc, p);
	return rc;
}

/* Finds the line of each key, and reports bad syntax and unknown keys. Returns the number
 * of keys or a negative errno. */
static int
index_lines(struct source *s)
{
	FILE *f = fopen(s->path, "r");
	yaml_parser_t parser;
	yaml_document_t doc;
	int rc;

	if (f == NULL) {
		rc = -errno;
		snprintf(s->err, LOAD_ERR_LEN, "%s: %s", s->path, strerror(-rc));
		return rc;
	}
	yaml_parser_initialize(&parser);
	yaml_parser_set_input_file(&parser, f);
	if (yaml_parser_load(&parser, &doc)) {
		rc = index_document(s, &doc);
		yaml_document_delete(&doc);
	} else {
		rc = -EINVAL;
		snprintf(s->err, LOAD_ERR_LEN, "%s:%zu: %s", s->path, parser.problem_mark.line + 1,
				parser.problem != NULL ? parser.problem : "not YAML");
	}
	yaml_parser_delete(&parser);
	fclose(f);
	return rc;
}

static void
make_schema(const struct source *s)
{
	for (uint32_t i = 0; i < s->n; i++)
		fields[i] = (struct cyaml_schema_field){
				.key = s->table[i].name,
				.data_offset = (uint32_t)(offsetof(struct values, text) +
							  i * sizeof(char *)),
				.value = {CYAML_VALUE_STRING(
						CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, char, 0,
						VALUE_MAX)},
		};
	fields[s->n] = (struct cyaml_schema_field){.key = NULL};
	root = (struct cyaml_schema_value){
			CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct values, fields)};
}

static void
keep_log(cyaml_log_t level, void *ctx, const char *fmt, va_list ap)
{
	struct source *s = ctx;
	char text[LOAD_ERR_LEN / 2];

	(void)level;
	if (s->err[0] != '\0') /* the first message is the cause, the rest its backtrace */
		return;
	vsnprintf(text, sizeof(text), fmt, ap);
	text[strcspn(text, "\n")] = '\0';
	snprintf(s->err, LOAD_ERR_LEN, "%.100s: %s", s->path, text);
}

static const cyaml_config_t *
yaml_config(struct source *s)
{
	static cyaml_config_t config;

	config = (cyaml_config_t){
			.log_fn = keep_log,
			.log_ctx = s,
			.log_level = CYAML_LOG_ERROR,
			.mem_fn = cyaml_mem,
	};
	return &config;
}

static const char *
flag_word(const char *text)
{
	if (strcmp(text, "true") == 0 || strcmp(text, "yes") == 0)
		return "on";
	if (strcmp(text, "false") == 0 || strcmp(text, "no") == 0)
		return "off";
	return text;
}

static int
apply_values(const struct source *s)
{
	for (uint32_t i = 0; i < s->n; i++) {
		const struct arg *a = &s->table[i];
		const char *text = loaded->text[i];

		if (text == NULL)
			continue;
		if (a->type == ARG_FLAG)
			text = flag_word(text);
		if (args_value(a->type, text, a->out) == 0)
			continue;
		snprintf(s->err, LOAD_ERR_LEN, "%s:%zu: %s: '%.40s' is not %s", s->path, s->line[i],
				a->name, text, args_accepted(a->type));
		return -EINVAL;
	}
	return 0;
}

static void
keep_origin(const struct source *s)
{
	snprintf(origin.path, sizeof(origin.path), "%s", s->path);
	for (uint32_t i = 0; i < s->n; i++) {
		origin.name[i] = s->table[i].name;
		origin.line[i] = s->line[i];
	}
}

size_t
conf_yaml_line(const char *word, const char **path)
{
	*path = origin.path;
	for (uint32_t i = 0; i < KEYS_MAX && origin.name[i] != NULL; i++) {
		if (strcmp(origin.name[i], word) == 0)
			return origin.line[i];
	}
	return 0;
}

int
conf_load_yaml(struct load_conf *c, const char *path, char err[LOAD_ERR_LEN])
{
	struct arg table[LOAD_OPTS_MAX];
	struct source s = {.path = path, .table = table, .err = err};
	bool is_empty = true;
	int rc;

	err[0] = '\0';
	s.n = conf_table(c, LOAD_RUN | LOAD_CLIENT | LOAD_SERVER, table);
	rc = index_lines(&s);
	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < s.n; i++)
		is_empty = is_empty && s.line[i] == 0;
	if (is_empty)
		return 0;
	make_schema(&s);
	keep_origin(&s);
	conf_free_yaml();
	if (cyaml_load_file(path, yaml_config(&s), &root, (void **)&loaded, NULL) != CYAML_OK)
		return -EINVAL;
	return apply_values(&s);
}

void
conf_free_yaml(void)
{
	struct source s = {.err = (char[LOAD_ERR_LEN]){""}};

	if (loaded != NULL)
		cyaml_free(yaml_config(&s), &root, loaded, 0);
	loaded = NULL;
}
