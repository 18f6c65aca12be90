import { defineErrors } from '#kit';

export const CLI_ERRORS = {
  CLI_USAGE: { retry: 'never', blame: 'user' },
  CLI_BAD_MANIFEST: { retry: 'never', blame: 'user' },
  CLI_NO_NODE: { retry: 'never', blame: 'user' },
  CLI_NOT_FOUND: { retry: 'never', blame: 'user' },
  CLI_TIMEOUT: { retry: 'later', blame: 'system' },
  CLI_FAILED: { retry: 'never', blame: 'system' },
} as const;

export const cliError = defineErrors(CLI_ERRORS);
