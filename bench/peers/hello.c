/* The peer's hello container: says hello and waits, as our hello guest does. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void done(int signal) {
  (void)signal;
  _exit(0);
}

int main(void) {
  signal(SIGTERM, done);
  signal(SIGINT, done);
  puts("hello");
  fflush(stdout);
  for (;;) pause();
}
