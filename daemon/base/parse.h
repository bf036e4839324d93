/* Numbers and sizes from text. All return 0, -EINVAL (not of the form) or -ERANGE. */
#pragma once

#include <stdint.h>

int parse_u64(const char *s, uint64_t *ret);
int parse_i64(const char *s, int64_t *ret);
int parse_unsigned(const char *s, unsigned *ret);
/* 1 to 65535. */
int parse_port(const char *s, uint16_t *ret);
/* "10002-19999" */
int parse_port_range(const char *s, uint16_t *ret_first, uint16_t *ret_last);
/* "8GiB", "500MiB", "64kB", "1024B": binary and decimal units told apart; a bare number is refused.
 * Bytes. */
int parse_size(const char *s, uint64_t *ret);
#define SIZE_STR_MAX 32
/* "7.5GiB": for people. */
char *format_size(char buf[SIZE_STR_MAX], uint64_t bytes);
