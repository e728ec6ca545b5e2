// Bundles the graph widget for anywidget: one ES module and one style sheet, and the licences of what is in them.
// React is preact there, which is a third of its size: every notebook that saves its widgets holds the module.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';

const STATIC = '../agentnb/notebook/static';

const { metafile } = await build({
  entryPoints: ['src/widgets/graph.tsx'],
  outfile: `${STATIC}/graph.js`,
  bundle: true,
  minify: true,
  metafile: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  alias: { react: 'preact/compat', 'react-dom': 'preact/compat' },
  define: { 'process.env.NODE_ENV': '"production"' },
  legalComments: 'none',
});

/** The folder of the package that a bundled file is from; undefined of our own. */
function packageOf(file) {
  return /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0];
}

async function licenceOf(folder) {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'));
  const file = (await readdir(folder)).find(entry => /^licen[cs]e/i.test(entry));
  const text = file ? await readFile(join(folder, file), 'utf8') : `Licence: ${license}`;
  return `${name} ${version} (${license})\n\n${text.trim()}\n`;
}

const folders = new Set(Object.keys(metafile.inputs).map(packageOf).filter(Boolean));
const texts = await Promise.all([...folders].sort().map(licenceOf));
await writeFile(join(dirname(`${STATIC}/graph.js`), 'graph.licenses.txt'), texts.join(`\n${'-'.repeat(80)}\n\n`));
