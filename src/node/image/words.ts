/** The kubelet's words about images, for events and waiting messages. Source: kubelet `pkg/kubelet/images/image_manager.go`. */
export const words = {
  pulling: (image: string) => `Pulling image "${image}"`,
  pulled: (image: string, { took, waited, size }: { took: number; waited: number; size: number }) =>
    `Successfully pulled image "${image}" in ${goDuration(took)} (${goDuration(waited)} including waiting). Image size: ${size} bytes.`,
  present: (image: string) => `Container image "${image}" already present on machine and can be accessed by the pod`,
  failed: (image: string, error: string) => `Failed to pull image "${image}": ${error}`,
  backOff: (image: string) => `Back-off pulling image "${image}"`,
  never: (image: string) => `Container image "${image}" is not present with pull policy of Never`,
  badName: (image: string, problem: string) =>
    `Failed to apply default image tag "${image}": couldn't parse image name "${image}": ${problem}`,
  inspect: (image: string, error: string) => `Failed to inspect image "${image}": ${error}`,
  unavailable: (image: string, error: string) =>
    `image pull failed for ${image} because the registry is unavailable: ${error}`,
  missingSecrets: (names: readonly string[]) =>
    `Unable to retrieve some image pull secrets (${names.join(', ')}); attempting to pull the image may not succeed.`,
} as const;

/** Milliseconds as Go prints a time.Duration: `0s`, `350ms`, `1.2s`, `1m2.5s`, `1h0m3s`. */
export function goDuration(ms: number): string {
  const whole = Math.max(0, Math.trunc(ms));
  if (whole === 0) return '0s';
  if (whole < 1000) return `${whole}ms`;
  const hours = Math.trunc(whole / 3_600_000);
  const minutes = Math.trunc((whole % 3_600_000) / 60_000);
  const seconds = (whole % 60_000) / 1000;
  return `${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
}
