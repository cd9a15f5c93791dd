// The situations of bundlers. Either forebay is external, or it is in the bundle and the user says where its addon is,
// or it is in the bundle and the user does not say where its addon is. In the last case, an error is expected.

/** Returns a situation in which a user forgets to make forebay external. */
const forgotten = (name, tool, commands, fails, more = {}) => ({
  ...{ name: `${name}, forebay not external`, inside: [tool], commands, fails },
  ...more,
});
const esbuild = 'npx esbuild app.mjs --bundle --platform=node';
const externalFor = {
  esbuild: /esbuild[^;]*--external:forebay/,
  webpack: /webpack[^;]*commonjs forebay/,
  rollup: /Roll(up|down)[^;]*external: \['forebay'\]/,
  vite: /Vite[^;]*ssr: \{ external: \['forebay'\]/,
};

export const bundlers = [
  { name: 'esbuild, CommonJS', inside: ['esbuild'], recipe: 'esbuild-cjs', short: true },
  { name: 'esbuild, ES module', inside: ['esbuild'], recipe: 'esbuild-esm', short: true },
  { name: 'webpack', inside: ['webpack'], recipe: 'webpack' },
  { name: 'Rollup', inside: ['rollup'], recipe: 'rollup' },
  { name: 'Rolldown', inside: ['rolldown'], recipe: 'rolldown' },
  { name: 'Vite, server-side', inside: ['vite'], recipe: 'vite' },
  {
    name: 'esbuild, forebay inside, FOREBAY_ADDON',
    ...{ inside: ['esbuild'], recipe: 'bundled-variable', short: true },
  },
  {
    name: 'esbuild, forebay inside, configure',
    ...{ inside: ['esbuild'], recipe: 'bundled-configure' },
  },
  forgotten(
    'esbuild, CommonJS',
    'esbuild',
    `${esbuild} --outfile=out/app.cjs && node out/app.cjs`,
    externalFor.esbuild,
    { recipe: 'esbuild-cjs', short: true },
  ),
  forgotten(
    'esbuild, ES module',
    'esbuild',
    `${esbuild} --format=esm --outfile=out/app.mjs && node out/app.mjs`,
    externalFor.esbuild,
    { recipe: 'esbuild-esm' },
  ),
  forgotten(
    'webpack',
    'webpack',
    'sed -i /externals/d webpack.config.cjs && npx webpack && node out/app.cjs',
    externalFor.webpack,
    { recipe: 'webpack' },
  ),
  forgotten(
    'Rolldown',
    'rolldown',
    'npx rolldown app.mjs --platform node --file out/app.mjs && node out/app.mjs',
    externalFor.rollup,
    { recipe: 'rolldown' },
  ),
  forgotten(
    'Rollup',
    'rollup',
    'npx rollup app.mjs -p node-resolve -p commonjs --format es --file out/app.mjs && node out/app.mjs',
    externalFor.rollup,
    { recipe: 'rollup' },
  ),
  forgotten(
    'Vite, server-side, noExternal',
    'vite',
    `sed -i "s/, external: \\['forebay'\\]//" vite.config.mjs && npx vite build && node out/app.mjs`,
    externalFor.vite,
    { recipe: 'vite' },
  ),
];
