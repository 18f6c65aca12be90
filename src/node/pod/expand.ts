/** `$(VAR)` in env, command and args; `$$` is a dollar. Source: `k8s.io/kubernetes/third_party/forked/golang/expansion`. */
export function expand(text: string, lookUp: (name: string) => string | undefined): string {
  let out = '';
  let at = 0;
  while (at < text.length) {
    const dollar = text.indexOf('$', at);
    if (dollar === -1 || dollar === text.length - 1) return out + text.slice(at);
    out += text.slice(at, dollar);
    const next = text[dollar + 1];
    const end = next === '(' ? text.indexOf(')', dollar + 2) : -1;
    if (next === '$') {
      out += '$';
      at = dollar + 2;
    } else if (end !== -1) {
      const name = text.slice(dollar + 2, end);
      out += lookUp(name) ?? `$(${name})`;
      at = end + 1;
    } else {
      out += next === '(' ? '$(' : `$${next}`;
      at = dollar + 2;
    }
  }
  return out;
}
