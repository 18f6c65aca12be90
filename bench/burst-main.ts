/** `burst` as a program: KUBECONFIG COUNT IMAGE LIMIT [NAMESPACES]; prints its result as JSON. */
import { burst } from './burst.ts';

const [kubeconfig = '', count = '', image = '', limit = '', namespaces = '1'] = process.argv.slice(2);
const numbers = { count: Number(count), limit: Number(limit), namespaces: Number(namespaces) };
process.stdout.write(JSON.stringify(await burst({ kubeconfig, image, ...numbers })));
