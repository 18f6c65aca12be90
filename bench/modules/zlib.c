/*
 * Compresses a generated text with zlib at its default level, takes it apart again and compares: the text is lines of words, with a
 * random byte now and then. Built with zlib's own sources, which are not here; see README.md.
 */
#include "measured.h"
#include "zlib.h"
#include <string.h>

static size_t write_text(unsigned char *text, size_t size) {
  static const char *const WORDS[] = {"the ", "a ", "wasm ", "pod-7 ", "node.example ", "10.244.1.9 ", "error: ", "warn: ", "user@host.example ",
                                      "0x7fe3 ", "2026-11-21 ", "aaaaaab ", "containers ", "(nothing) ", "k8s ", "x=y&z=1 "};
  uint32_t state = 521288629u;
  size_t at = 0;
  while (at + 32 < size) {
    uint32_t random = measured_random(&state);
    const char *word = WORDS[random >> 7 & 15];
    size_t length = strlen(word);
    memcpy(text + at, word, length);
    at += length;
    if ((random & 15) == 0) text[at - 1] = (unsigned char)(random >> 20);
  }
  return at;
}

int main(int argc, char **argv) {
  static unsigned char text[4 << 20], back[4 << 20], packed[5 << 20];
  unsigned rounds = measured_size(argc, argv, 8);
  size_t length = write_text(text, sizeof text);
  uint64_t result = 0, since = measured_now();
  for (unsigned round = 0; round < rounds; round++) {
    uLongf packed_length = sizeof packed, back_length = sizeof back;
    if (compress2(packed, &packed_length, text, length, 6) != Z_OK) return 1;
    if (uncompress(back, &back_length, packed, packed_length) != Z_OK || back_length != length) return 2;
    if (memcmp(text, back, length) != 0) return 3;
    result = result * 31 + packed_length + crc32(0, back, back_length);
    text[round * 7919u % length] ^= 1;
  }
  measured_print(since, result);
  return 0;
}
