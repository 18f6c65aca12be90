/** `burst` as a program: KUBECONFIG COUNT IMAGE LIMIT; prints its result as JSON. */
import { burst } from './burst.ts';

const [kubeconfig = '', count = '', image = '', limit = ''] = process.argv.slice(2);
process.stdout.write(JSON.stringify(await burst({ kubeconfig, image, count: Number(count), limit: Number(limit) })));
