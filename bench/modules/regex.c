/*
 * A backtracking regular expression engine (literals, `.`, classes, groups, `|`, `*`, `+`, `?`) that counts the matches of
 * patterns in a generated text. Recursion, indirect reads and branches that nothing predicts: what interpreters do.
 */
#include "measured.h"
#include <string.h>

enum kind { CHARACTER, ANY, CLASS, SPLIT, JUMP, MATCH };

struct step {
  enum kind kind;
  unsigned char character;
  int first, second; /* SPLIT tries first, then second; JUMP goes to first */
  uint32_t set[8];   /* CLASS: a bit a character */
};

struct program {
  struct step steps[256];
  int length;
  const char *pattern;
};

static void alternation(struct program *program);

static int emit(struct program *program, struct step step) {
  if (program->length == 256) exit(3);
  program->steps[program->length] = step;
  return program->length++;
}

/* Makes room for one step at `at`; the steps behind it move, and what points behind it follows. */
static void insert(struct program *program, int at, struct step step) {
  emit(program, step);
  memmove(program->steps + at + 1, program->steps + at, (size_t)(program->length - at - 1) * sizeof step);
  for (int each = at + 1; each < program->length; each++) {
    struct step *moved = program->steps + each;
    if (moved->kind != SPLIT && moved->kind != JUMP) continue;
    if (moved->first >= at) moved->first++;
    if (moved->second >= at) moved->second++;
  }
  program->steps[at] = step;
}

static void class_of(struct program *program) {
  struct step step = {.kind = CLASS};
  int negated = *program->pattern == '^';
  program->pattern += negated;
  while (*program->pattern != ']' && *program->pattern != 0) {
    unsigned char from = (unsigned char)*program->pattern++, to = from;
    if (program->pattern[0] == '-' && program->pattern[1] != ']') to = (unsigned char)program->pattern[1], program->pattern += 2;
    for (unsigned each = from; each <= to; each++) step.set[each / 32] |= 1u << each % 32;
  }
  program->pattern += *program->pattern == ']';
  if (negated)
    for (int word = 0; word < 8; word++) step.set[word] = ~step.set[word];
  emit(program, step);
}

static void atom(struct program *program) {
  char character = *program->pattern++;
  if (character == '(') {
    alternation(program);
    program->pattern += *program->pattern == ')';
  } else if (character == '[') class_of(program);
  else if (character == '.') emit(program, (struct step){.kind = ANY});
  else emit(program, (struct step){.kind = CHARACTER, .character = (unsigned char)character});
}

static void repeated(struct program *program) {
  int start = program->length;
  atom(program);
  char how = *program->pattern;
  if (how == '*') {
    insert(program, start, (struct step){.kind = SPLIT, .first = start + 1, .second = program->length + 2});
    emit(program, (struct step){.kind = JUMP, .first = start});
  } else if (how == '+') emit(program, (struct step){.kind = SPLIT, .first = start, .second = program->length + 1});
  else if (how == '?') insert(program, start, (struct step){.kind = SPLIT, .first = start + 1, .second = program->length + 1});
  else return;
  program->pattern++;
}

static void alternation(struct program *program) {
  int start = program->length;
  while (*program->pattern != 0 && *program->pattern != ')' && *program->pattern != '|') repeated(program);
  if (*program->pattern != '|') return;
  program->pattern++;
  insert(program, start, (struct step){.kind = SPLIT, .first = start + 1, .second = program->length + 2});
  int jump = emit(program, (struct step){.kind = JUMP});
  alternation(program);
  program->steps[jump].first = program->length;
}

static void compile(struct program *program, const char *pattern) {
  program->length = 0;
  program->pattern = pattern;
  alternation(program);
  emit(program, (struct step){.kind = MATCH});
}

/* Where a match that begins at `text` ends, or 0. */
static const unsigned char *match(const struct step *steps, int at, const unsigned char *text, const unsigned char *end) {
  for (;;) {
    const struct step *step = steps + at;
    switch (step->kind) {
    case CHARACTER:
      if (text == end || *text != step->character) return 0;
      text++, at++;
      break;
    case ANY:
      if (text == end || *text == '\n') return 0;
      text++, at++;
      break;
    case CLASS:
      if (text == end || !(step->set[*text / 32] >> *text % 32 & 1)) return 0;
      text++, at++;
      break;
    case JUMP:
      at = step->first;
      break;
    case SPLIT: {
      const unsigned char *found = match(steps, step->first, text, end);
      if (found != 0) return found;
      at = step->second;
      break;
    }
    case MATCH:
      return text;
    }
  }
}

static unsigned count(const struct program *program, const unsigned char *text, const unsigned char *end) {
  unsigned found = 0;
  while (text < end) {
    const unsigned char *after = match(program->steps, 0, text, end);
    if (after != 0) found++;
    text = after != 0 && after > text ? after : text + 1;
  }
  return found;
}

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
    if ((random & 15) == 0) text[at - 1] = '\n';
  }
  return at;
}

int main(int argc, char **argv) {
  static const char *const PATTERNS[] = {
      "[a-z0-9.]+@[a-z]+.example", "[0-9]+-[0-9]+-[0-9]+", "(error|warn|info): .*pod", "(a|aa)+b", "[0-9]+.[0-9]+.[0-9]+.[0-9]+", "x=[a-z]&(z|y)=[0-9]?"};
  static unsigned char text[256 * 1024];
  static struct program program;
  unsigned rounds = measured_size(argc, argv, 48);
  size_t length = write_text(text, sizeof text);
  uint64_t result = 0, since = measured_now();
  for (unsigned round = 0; round < rounds; round++) {
    for (unsigned each = 0; each < sizeof PATTERNS / sizeof *PATTERNS; each++) {
      compile(&program, PATTERNS[each]);
      result = result * 31 + count(&program, text, text + length);
    }
  }
  measured_print(since, result);
  return 0;
}
