// Formats the C++ sources by .clang-format. With --check it changes nothing, and fails if a file is formatted otherwise.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const files = ['native', 'tools'].flatMap((folder) =>
  readdirSync(folder, { recursive: true })
    .filter((file) => /\.(cc|h|inc)$/.test(file))
    .map((file) => join(folder, file)),
);
const mode = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
// A fixed version, because versions format the same style differently.
const { status, error } = spawnSync('clang-format-14', [...mode, ...files], { stdio: 'inherit' });
if (error) console.error(`clang-format-14 did not run: ${error.message}`);
process.exitCode = status ?? 1;
