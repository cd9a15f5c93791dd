// What is moved to another folder before it runs: traced files, standalone servers, single executables.

export const deployments = [
  { name: 'Next.js, standalone', inside: ['next'], recipe: 'next' },
  { name: '@vercel/nft', inside: ['nft'], recipe: 'traced', short: true },
  {
    name: 'a single executable of Node',
    ...{ inside: ['esbuild', 'postject'], recipe: 'single' },
  },
  { name: 'a single executable of Bun', path: ['bun'], recipe: 'single-bun' },
];
