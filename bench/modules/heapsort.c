/* Heapsort of random doubles: one nested loop over a few megabytes, so a compiler that improves code only at the next call never gets a chance. */
#include "measured.h"

static void sift(double *heap, unsigned root, unsigned end) {
  double moved = heap[root];
  for (;;) {
    unsigned child = 2 * root + 1;
    if (child >= end) break;
    if (child + 1 < end && heap[child] < heap[child + 1]) child++;
    if (moved >= heap[child]) break;
    heap[root] = heap[child];
    root = child;
  }
  heap[root] = moved;
}

static void sort(double *values, unsigned count) {
  for (unsigned root = count / 2; root-- > 0;) sift(values, root, count);
  for (unsigned end = count; end-- > 1;) {
    double largest = values[0];
    values[0] = values[end];
    values[end] = largest;
    sift(values, 0, end);
  }
}

int main(int argc, char **argv) {
  unsigned count = measured_size(argc, argv, 4000000);
  double *values = malloc(count * sizeof *values);
  if (values == 0) return 1;
  uint32_t state = 2463534242u;
  uint64_t since = measured_now();
  for (unsigned at = 0; at < count; at++) values[at] = measured_random(&state) / 4294967296.0;
  sort(values, count);
  uint64_t result = count;
  for (unsigned at = 1; at < count; at++) {
    if (values[at - 1] > values[at]) return 2;
    result = result * 31 + (uint64_t)(values[at] * 4294967296.0);
  }
  measured_print(since, result);
  return 0;
}
