// Makes a component of a JavaScript module: node build.mjs MODULE WIT-DIRECTORY WORLD OUTPUT
import { componentize } from '@bytecodealliance/componentize-js';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

// All WIT packages as one text: the tool reads no directories.
const read = async (folder) => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.wit')).sort();
  return (await Promise.all(names.map((name) => readFile(join(folder, name), 'utf8')))).join('\n');
};
const nested = (text) => text.replace(/^\s*package\s+([^;]+);/m, 'package $1 {') + '\n}\n';

const [module, wit, world, output] = process.argv.slice(2);
const deps = await readdir(join(wit, 'deps'));
const texts = await Promise.all(deps.map((name) => read(join(wit, 'deps', name))));
const witWorld = (await read(wit)) + '\n' + texts.map(nested).join('\n');
const { component } = await componentize(await readFile(module, 'utf8'), { witWorld, worldName: world, disableFeatures: ['http', 'fetch-event'] });
await writeFile(output, component);
