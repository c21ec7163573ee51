import js from '@eslint/js'
import prettier from 'eslint-config-prettier'
import tseslint from 'typescript-eslint'

const layers = ['domain', 'application', 'adapters', 'composition']

/** Imports that a layer may not make: the hexagon's directions (docs/architecture.md). */
const forbid = (layer, allowed, extra = []) => ({
  files: [`src/${layer}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          ...layers
            .filter((other) => other !== layer && !allowed.includes(other))
            .map((other) => ({
              regex: `^\\..*/${other}/`,
              message: `${layer} may not import ${other}: dependencies point inward.`,
            })),
          { regex: '/(main|program|ctl|index)\\.js$', message: 'Nothing imports the program.' },
          ...extra,
        ],
      },
    ],
  },
})

export default tseslint.config(
  { ignores: ['dist/', 'coverage/'] },
  js.configs.recommended,
  ...tseslint.configs.recommendedTypeChecked.map((config) => ({
    ...config,
    files: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts', 'examples/**/*.ts'],
  })),
  {
    files: ['src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts', 'scripts/**/*.ts', 'examples/**/*.ts'],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
    },
  },
  {
    files: ['scripts/**/*.mjs', 'deploy/**/*.mjs', 'eslint.config.js'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        URL: 'readonly',
        fetch: 'readonly',
        AbortSignal: 'readonly',
        Buffer: 'readonly',
        setTimeout: 'readonly',
        clearTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
      },
    },
  },
  {
    // The status page runs in browsers.
    files: ['src/adapters/http/status-page/*.js'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'AbortSignal',
          'URLSearchParams',
          'addEventListener',
          'clearTimeout',
          'document',
          'fetch',
          'getComputedStyle',
          'matchMedia',
          'performance',
          'sessionStorage',
          'setInterval',
          'setTimeout',
          'window',
        ].map((name) => [name, 'readonly']),
      ),
    },
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-unused-expressions': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  forbid('domain', [], [{ regex: '^[^.]', message: 'The domain is pure: no npm and no node: import.' }]),
  forbid(
    'application',
    ['domain'],
    [
      {
        regex: '^(?!inversify$)[^.]',
        message:
          'The application reaches the world through its ports; inversify decorators are the one exception.',
      },
    ],
  ),
  forbid('adapters', ['domain', 'application']),
  forbid('composition', layers),
  {
    files: ['src/domain/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...[
          'Buffer',
          'process',
          'console',
          'Date',
          'performance',
          'setTimeout',
          'setInterval',
          'setImmediate',
          'queueMicrotask',
          'globalThis',
        ].map((name) => ({
          name,
          message: 'The domain has no clock, no I/O and no Node.',
        })),
      ],
      'no-restricted-properties': [
        'error',
        { object: 'Math', property: 'random', message: 'Randomness is handed in.' },
      ],
    },
  },
  {
    files: ['src/application/**/*.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['process', 'console', 'Date', 'performance', 'setTimeout', 'setInterval', 'setImmediate'].map(
          (name) => ({
            name,
            message: 'Time, logs and the process are ports.',
          }),
        ),
      ],
    },
  },
  prettier,
)
