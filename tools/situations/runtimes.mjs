// The situations of runtimes: the release lines of Node, flags of Node, Bun and Deno.

const node = (line) => ({ name: `Node ${line}`, path: [`node-${line}`], recipe: 'node' });
const permission = (line) => [
  {
    name: `Node ${line} --permission`,
    ...{ path: [`node-${line}`], recipe: 'permission', short: line === 24 },
  },
  {
    name: `Node ${line} --permission, saving`,
    ...{ path: [`node-${line}`], recipe: 'permission-saving', short: line === 24 },
  },
  {
    name: `Node ${line} --permission without --allow-addons`,
    ...{ path: [`node-${line}`], recipe: 'permission', short: line === 24 },
    commands: 'node --permission --allow-fs-read="$PWD" app.mjs',
    fails: /add --allow-addons/,
  },
];

export const runtimes = [
  ...[20, 22, 24, 26].map(node),
  ...[22, 24, 26].flatMap(permission),
  {
    name: 'Node --no-addons',
    ...{ recipe: 'node', commands: 'node --no-addons app.mjs', short: true },
    fails: /--no-addons: leave that out/,
  },
  { name: 'Bun', path: ['bun'], recipe: 'bun' },
  { name: 'Deno', path: ['deno'], recipe: 'deno' },
  {
    name: 'Deno without --allow-ffi',
    ...{ path: ['deno'], recipe: 'deno', commands: 'deno run --allow-read --allow-env app.mjs' },
    fails: /add --allow-ffi/,
  },
  {
    name: 'Deno without any permission',
    ...{ path: ['deno'], recipe: 'deno', commands: 'deno run --no-prompt app.mjs' },
    fails: /add --allow-ffi --allow-read --allow-env/,
  },
];
