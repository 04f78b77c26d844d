// node run.mjs MODULE REPEATS [ARGUMENT...]: times _start of fresh instances; prints the milliseconds, then what the last one wrote.
import { readFileSync, openSync, closeSync, mkdtempSync, rmSync,  } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, basename } from 'node:path';
import { WASI } from 'node:wasi';

const [file, repeats, ...args] = process.argv.slice(2);
const module = await WebAssembly.compile(readFileSync(file));
const directory = mkdtempSync(join(tmpdir(), 'ml-bench-'));
const output = join(directory, 'output');
const times = [];
for (let i = 0; i < Number(repeats); i++) {
    const stdout = openSync(output, 'w');
    const wasi = new WASI({ version: 'preview1', args: [basename(file), ...args], stdout, returnOnExit: true });
    const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
    const start = performance.now();
    wasi.start(instance);
    times.push(performance.now() - start);
    closeSync(stdout);
}
const text = readFileSync(output, 'utf8');
rmSync(directory, { recursive: true });
console.log(JSON.stringify({ times, text }));
