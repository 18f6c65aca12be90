/** Completion scripts for bash, zsh and fish, made from the table of commands. */
import { COMMON_FLAGS } from './arguments.ts';
import type { Command } from './command.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(shell: Shell, commands: readonly Command[]): string {
  const shown = commands.filter((command) => command.hidden !== true);
  return { bash, zsh, fish }[shell](shown);
}

function flagsOf(command: Command): string[] {
  return Object.keys({ ...command.flags, ...COMMON_FLAGS }).map((name) => `--${name}`);
}

function bash(commands: readonly Command[]): string {
  const cases = commands.map((command) => `    ${command.name}) words="${flagsOf(command).join(' ')}" ;;`).join('\n');
  return `# source <(wasmlet completion bash)
_wasmlet() {
  local current="\${COMP_WORDS[COMP_CWORD]}" words=""
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(' ')}" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases}
  esac
  if [[ "$current" == -* ]]; then COMPREPLY=($(compgen -W "$words" -- "$current")); else COMPREPLY=($(compgen -f -- "$current")); fi
}
complete -o filenames -F _wasmlet wasmlet
`;
}

function zsh(commands: readonly Command[]): string {
  const names = commands.map(({ name, summary }) => `    '${name}:${quoted(summary)}'`).join('\n');
  const cases = commands
    .map((command) => {
      const flags = Object.entries({ ...command.flags, ...COMMON_FLAGS });
      const specs = flags.map(
        ([name, flag]) => `'--${name}${flag.value === undefined ? '' : '='}[${quoted(flag.summary)}]'`,
      );
      return `    ${command.name}) _arguments ${specs.join(' ')} '*:file:_files' ;;`;
    })
    .join('\n');
  return `#compdef wasmlet
# source <(wasmlet completion zsh)
_wasmlet() {
  local -a commands
  commands=(
${names}
  )
  if (( CURRENT == 2 )); then _describe command commands; return; fi
  local command=$words[2]
  shift words; (( CURRENT-- ))
  case $command in
${cases}
  esac
}
compdef _wasmlet wasmlet
`;
}

function fish(commands: readonly Command[]): string {
  const lines = commands.flatMap((command) => [
    `complete -c wasmlet -n __fish_use_subcommand -f -a ${command.name} -d '${quoted(command.summary)}'`,
    ...Object.entries({ ...command.flags, ...COMMON_FLAGS }).map(([name, flag]) => {
      const short = flag.short === undefined ? '' : ` -s ${flag.short}`;
      const value = flag.value === undefined ? '' : ' -r';
      return `complete -c wasmlet -n '__fish_seen_subcommand_from ${command.name}' -l ${name}${short}${value} -d '${quoted(flag.summary)}'`;
    }),
  ]);
  return `# wasmlet completion fish | source\n${lines.join('\n')}\n`;
}

/** Inside single quotes of all three shells, and zsh's brackets and colons. */
function quoted(text: string): string {
  return text.replace(/'/g, '').replace(/[[\]:]/g, ' ');
}
