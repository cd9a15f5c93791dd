// The situations in which a program is deployed to another folder before it runs, as traced files, as a standalone
// server, or as a single executable.

const serve = `cp -r .next/standalone/. "$DEPLOY"
PORT=38211 HOSTNAME=127.0.0.1 node "$DEPLOY/server.js" &
trap "kill $!" EXIT
curl --silent --fail --retry 20 --retry-connrefused --retry-max-time 10 http://127.0.0.1:38211/learn`;

export const deployments = [
  { name: 'Next.js, standalone (Turbopack)', inside: ['next'], recipe: 'next' },
  {
    name: 'Next.js, standalone (webpack)',
    ...{ inside: ['next'], recipe: 'next', commands: `npx next build --webpack\n${serve}` },
  },
  { name: '@vercel/nft', inside: ['nft'], recipe: 'traced', short: true },
  {
    name: 'a single executable of Node',
    ...{ inside: ['esbuild', 'postject'], recipe: 'single' },
  },
  { name: 'a single executable of Bun', path: ['bun'], recipe: 'single-bun' },
];
