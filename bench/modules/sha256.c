/* SHA-256 (FIPS 180-4) of one buffer again and again: straight code of shifts and additions in a short loop, called for each block. */
#include "measured.h"
#include <string.h>

static const uint32_t ROUND[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be,
    0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa,
    0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85,
    0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3,
    0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f,
    0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t rotated(uint32_t word, unsigned by) { return word >> by | word << (32 - by); }

static void block(uint32_t state[8], const uint8_t *bytes) {
  uint32_t words[64];
  for (int at = 0; at < 16; at++) {
    words[at] = (uint32_t)bytes[4 * at] << 24 | (uint32_t)bytes[4 * at + 1] << 16 | (uint32_t)bytes[4 * at + 2] << 8 | bytes[4 * at + 3];
  }
  for (int at = 16; at < 64; at++) {
    uint32_t near = words[at - 15], far = words[at - 2];
    words[at] = words[at - 16] + (rotated(near, 7) ^ rotated(near, 18) ^ near >> 3) + words[at - 7] +
                (rotated(far, 17) ^ rotated(far, 19) ^ far >> 10);
  }
  uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4], f = state[5], g = state[6], h = state[7];
  for (int at = 0; at < 64; at++) {
    uint32_t one = h + (rotated(e, 6) ^ rotated(e, 11) ^ rotated(e, 25)) + ((e & f) ^ (~e & g)) + ROUND[at] + words[at];
    uint32_t two = (rotated(a, 2) ^ rotated(a, 13) ^ rotated(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
  }
  state[0] += a, state[1] += b, state[2] += c, state[3] += d, state[4] += e, state[5] += f, state[6] += g, state[7] += h;
}

static void sha256(const uint8_t *bytes, size_t length, uint8_t digest[32]) {
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  size_t whole = length / 64 * 64;
  for (size_t at = 0; at < whole; at += 64) block(state, bytes + at);
  uint8_t last[128] = {0};
  size_t rest = length - whole, padded = rest < 56 ? 64 : 128;
  memcpy(last, bytes + whole, rest);
  last[rest] = 0x80;
  for (int at = 0; at < 8; at++) last[padded - 1 - at] = (uint8_t)((uint64_t)length * 8 >> 8 * at);
  for (size_t at = 0; at < padded; at += 64) block(state, last + at);
  for (int at = 0; at < 32; at++) digest[at] = (uint8_t)(state[at / 4] >> (24 - at % 4 * 8));
}

static uint64_t first_of(const uint8_t digest[32]) {
  uint64_t value = 0;
  for (int at = 0; at < 8; at++) value = value << 8 | digest[at];
  return value;
}

int main(int argc, char **argv) {
  unsigned megabytes = measured_size(argc, argv, 200);
  static uint8_t buffer[1 << 20];
  uint8_t digest[32];
  sha256((const uint8_t *)"abc", 3, digest);
  if (first_of(digest) != 0xba7816bf8f01cfeaull) return 1;
  uint32_t state = 88172645u;
  for (size_t at = 0; at < sizeof buffer; at++) buffer[at] = (uint8_t)measured_random(&state);
  uint64_t since = measured_now();
  for (unsigned round = 0; round < megabytes; round++) {
    sha256(buffer, sizeof buffer, digest);
    memcpy(buffer, digest, sizeof digest);
  }
  measured_print(since, first_of(digest));
  return 0;
}
