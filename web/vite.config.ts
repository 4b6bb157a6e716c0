import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

/** `base: './'` keeps every URL relative, so the same build works under any path prefix. */
export default defineConfig({
  root: import.meta.dirname,
  base: './',
  plugins: [react()],
  build: { outDir: '../dist/web', emptyOutDir: true, target: 'es2023', cssMinify: 'esbuild' },
  worker: { format: 'es' },
});
