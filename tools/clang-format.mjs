// Formats the C++ sources by the rules of .clang-format. With --check, it changes no file, and fails if a file does not
// follow the rules.
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
// The version is fixed, because different versions of clang-format follow the same rules in different ways.
const { status, error } = spawnSync('clang-format-14', [...mode, ...files], { stdio: 'inherit' });
if (error) console.error(`clang-format-14 did not run: ${error.message}`);
process.exitCode = status ?? 1;
