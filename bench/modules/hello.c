/* The hello of the benches: says hello and ends, or with an argument waits for ever. The same source is built as a container's program. */
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv) {
  (void)argv;
  puts("Hello, world!");
  fflush(stdout);
  while (argc > 1) sleep(3600);
  return 0;
}
