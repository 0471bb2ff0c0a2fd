import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript'
import { importX } from 'eslint-plugin-import-x'
import reactHooks from 'eslint-plugin-react-hooks'
import neostandard from 'neostandard'
import { configs as ts } from 'typescript-eslint'

/** Fastify, Redis and Prometheus each have one door (DESIGN §1): nobody else may see them. */
const doors = [
  { from: './node_modules/fastify', target: ['./src/!(app|server).ts', './src/!(routes|auth)/**'] },
  { from: './node_modules/@fastify/cors', target: ['./src/!(app).ts', './src/*/**'] },
  { from: './node_modules/@fastify/accepts', target: ['./src/*.ts', './src/!(routes)/**'] },
  { from: './node_modules/@fastify/rate-limit', target: ['./src/*.ts', './src/!(routes)/**'] },
  { from: './node_modules/fast-jwt', target: ['./src/*.ts', './src/!(auth)/**'] },
  { from: './node_modules/cookie', target: ['./src/*.ts', './src/!(auth)/**'] },
  { from: './node_modules/ioredis', target: ['./src/*.ts', './src/!(broker|publisher)/**', './src/broker/!(redis).ts'] },
  { from: './node_modules/prom-client', target: ['./src/!(metrics).ts', './src/*/**'] },
  { from: './node_modules/eventsource-parser', target: ['./src/*.ts', './src/!(client)/**'] },
  { from: ['./node_modules/commander', './node_modules/log-update'], target: ['./src/*.ts', './src/!(cli)/**'] },
  { from: './node_modules/react', target: ['./src/*.ts', './src/!(client)/**', './src/client/*.ts'] },
]

/** Each room may import from the rooms after it on a message's way, from none before it. */
const rooms = [
  { target: './src/fanout', from: ['./src/app.ts', './src/server.ts', './src/config.ts', './src/errors.ts', './src/broker', './src/auth', './src/routes'] },
  { target: './src/broker', from: ['./src/app.ts', './src/server.ts', './src/config.ts', './src/errors.ts', './src/fanout', './src/auth', './src/routes'] },
  { target: './src/auth', from: ['./src/app.ts', './src/server.ts', './src/config.ts', './src/fanout', './src/routes'] },
  { target: './src/routes', from: ['./src/app.ts', './src/server.ts', './src/config.ts'] },
  // What other processes import brings nothing of the service along.
  { target: './src/publisher', from: './src', except: ['./message.ts', './publisher'] },
  { target: ['./src/*.ts', './src/!(publisher|cli|demo)/**'], from: './src/publisher' },
  // Of the service, what runs in a browser knows the types of message.ts only; the service knows nothing of it.
  { target: './src/client', from: './src', except: ['./client', './message.ts'] },
  { target: ['./src/*.ts', './src/!(client|demo|cli)/**'], from: './src/client' },
  // The command line does what any program could do that installs the package; nobody needs it.
  { target: './src/cli', from: './src', except: ['./cli', './publisher', './client', './demo', './message.ts'] },
  { target: ['./src/*.ts', './src/!(cli)/**'], from: './src/cli' },
  // What is simulated is published as any backend service would, and its page is one more page: only who starts it knows it.
  { target: './src/demo', from: './src', except: ['./demo', './publisher', './client', './message.ts'] },
  { target: ['./src/!(app).ts', './src/!(demo|cli)/**'], from: './src/demo' },
  { target: ['./src/demo/*.ts', './src/cli'], from: './src/demo/page' },
  // The live page knows what is counted; nobody needs it but its route, and who puts them together.
  { target: './src/dashboard', from: './src', except: ['./dashboard', './metrics.ts'] },
  { target: ['./src/!(app).ts', './src/!(dashboard|routes)/**'], from: './src/dashboard' },
  { target: ['./src/dashboard/*.ts', './src/routes'], from: './src/dashboard/page' },
  { target: ['./src/!(app).ts', './src/!(pages)/**'], from: './src/pages' },
  { target: './src/client/*.ts', from: './src/client/react' },
  { target: ['./src/message.ts', './src/errors.ts', './src/log.ts', './src/config.ts'], from: ['./src/app.ts', './src/server.ts', './src/fanout', './src/broker', './src/auth', './src/routes', './src/metrics.ts'] },
]

export default [
  ...neostandard({ ts: true, ignores: ['dist/**', '.tap/**'] }),
  ...ts.recommendedTypeChecked.map((config) => ({ ...config, files: ['src/**/*.{ts,tsx}', 'test/**/*.{ts,tsx}'] })),
  {
    files: ['src/**/*.{ts,tsx}', 'test/**/*.{ts,tsx}'],
    languageOptions: { parserOptions: { project: ['./tsconfig.json', './src/demo/page/tsconfig.json', './src/dashboard/page/tsconfig.json'] } },
    plugins: { 'import-x': importX },
    settings: { 'import-x/resolver-next': [createTypeScriptImportResolver()] },
    rules: {
      '@stylistic/comma-dangle': ['error', 'always-multiline'],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-explicit-any': 'error',
      '@typescript-eslint/require-await': 'off', // Fastify's hooks and handlers are async to be allowed to throw.
      '@typescript-eslint/no-empty-function': 'off',
      'no-void': ['error', { allowAsStatement: true }], // How a promise that nobody needs to wait for is marked.
      '@typescript-eslint/no-redeclare': 'off', // A schema and its type share a name, as TypeBox has it.
      'import-x/no-cycle': 'error',
      'import-x/no-restricted-paths': ['error', { zones: [...rooms, ...doors] }],
      'import-x/no-extraneous-dependencies': 'error',
    },
  },
  {
    files: ['test/**/*.{ts,tsx}'],
    // tap itself waits for the tests that a test starts.
    rules: { '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafePromises: [{ from: 'package', name: 'PromiseWithSubtest', package: '@tapjs/core' }] }] },
  },
  {
    files: ['src/client/**/*.{ts,tsx}'],
    plugins: { 'react-hooks': reactHooks },
    rules: {
      ...reactHooks.configs.recommended.rules,
      'import-x/no-nodejs-modules': 'error',
      'no-restricted-globals': ['error', ...['process', 'Buffer', 'global', 'setImmediate', 'clearImmediate'].map((name) => ({ name, message: 'There is none in a browser.' }))],
      '@typescript-eslint/no-restricted-imports': ['error', { patterns: [{ group: ['**/message.js'], allowTypeImports: true, message: 'Its types only, or its schemas are in every page.' }] }],
    },
  },
  {
    files: ['src/**/*.{ts,tsx}'],
    ignores: ['src/config.ts', 'src/publisher/environment.ts'], // The publisher's is that of another process.
    rules: { 'no-restricted-properties': ['error', { object: 'process', property: 'env', message: 'config.ts is the only reader of the environment.' }] },
  },
]
