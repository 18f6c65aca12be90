/**
 * Modes and owners as a guest sees them: what was set stands in an extended attribute of the file, what was not is the file's own mode and
 * the guest's own identity. The file itself is never changed, and a volume is shared: an attribute that is not exactly ours is none.
 */

export interface View {
  /** The twelve bits. */
  readonly mode?: number | undefined;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
}

const FORM = /^0 ([0-7]{1,4}|-) (\d{1,10}|-) (\d{1,10}|-)$/;
export const MODE_BITS = 0o7777;
export const MAX_ID = 2 ** 32 - 1;

export function parseView(bytes: Uint8Array): View {
  const [, mode = '-', uid = '-', gid = '-'] = FORM.exec(Buffer.from(bytes).toString('latin1')) ?? [];
  return { mode: mode === '-' ? undefined : Number.parseInt(mode, 8), uid: idOf(uid), gid: idOf(gid) };
}

export function formatView({ mode, uid, gid }: View): Uint8Array {
  const text = ['0', mode === undefined ? '-' : mode.toString(8), uid ?? '-', gid ?? '-'].join(' ');
  return new Uint8Array(Buffer.from(text));
}

/** The largest number means "leave as it is" to `chown`, so it is nobody's. */
function idOf(text: string): number | undefined {
  const id = Number(text);
  return text === '-' || id >= MAX_ID ? undefined : id;
}

interface Identity {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** Whether bits of the view (4 read, 2 write, 1 execute) are all allowed. User 0 may all, and execute what anybody may execute. */
export function allows(
  { mode, uid, gid }: { mode: number; uid: number; gid: number },
  want: number,
  who: Identity,
): boolean {
  if (who.uid === 0) return (want & 1) === 0 || (mode & 0o111) !== 0 || isDirectoryMode(mode);
  const bits = who.uid === uid ? mode >> 6 : who.gid === gid || who.groups.includes(gid) ? mode >> 3 : mode;
  return (bits & want) === want;
}

function isDirectoryMode(mode: number): boolean {
  return (mode & 0o170000) === 0o040000;
}

/** Linux's rules: the owner's mode is the owner's to set, owners are set by user 0, and a group by the owner to one of his own. */
export function mayChange(
  current: { readonly uid: number; readonly gid: number },
  change: View,
  who: Identity,
): boolean {
  if (who.uid === 0) return true;
  if (who.uid !== current.uid) return false;
  if (change.uid !== undefined && change.uid !== current.uid) return false;
  return (
    change.gid === undefined || change.gid === current.gid || change.gid === who.gid || who.groups.includes(change.gid)
  );
}
