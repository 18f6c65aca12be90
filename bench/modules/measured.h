/*
 * What each guest of the bench prints: the nanoseconds that its work took by the monotonic clock, without the start of
 * the process, and a checksum of what it computed, so that two runtimes can be seen to have done the same.
 */
#ifndef MEASURED_H
#define MEASURED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t measured_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void measured_print(uint64_t since, uint64_t result) {
  printf("elapsed_ns %llu\nresult %016llx\n", (unsigned long long)(measured_now() - since), (unsigned long long)result);
}

/* The first argument as a positive number, or what stands for it. */
static unsigned measured_size(int argc, char **argv, unsigned otherwise) {
  long given = argc > 1 ? strtol(argv[1], 0, 10) : 0;
  return given > 0 ? (unsigned)given : otherwise;
}

/* The same numbers everywhere (xorshift). */
static uint32_t measured_random(uint32_t *state) {
  uint32_t x = *state;
  x ^= x << 13;
  x ^= x >> 17;
  x ^= x << 5;
  return *state = x;
}

#endif
