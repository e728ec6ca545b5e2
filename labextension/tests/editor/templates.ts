/// <reference types="vite/client" />
const files = import.meta.glob<string>('../../../agentnb/workflows/templates/*.yaml', {
  query: '?raw',
  import: 'default',
  eager: true,
});

/** The workflows that agentnb ships. */
export const templates = Object.entries(files).map(([path, text]) => ({ name: path.split('/').at(-1) ?? '', text }));
