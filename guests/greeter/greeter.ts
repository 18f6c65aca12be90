// AssemblyScript over its WASI shim: greets who is named by its arguments and the variable GREETING, and exits with their number.
const names = process.argv.slice(1);
const greeting = process.env.has('GREETING') ? process.env.get('GREETING') : 'hello';
for (let index = 0; index < names.length; index++) {
  console.log(`${greeting} ${names[index]}`);
}
if (names.length === 0) console.error('nobody is named');
process.exit(names.length);
