/** The files of this project that aren't code: for tests that hold them against the code. */
import { readFileSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'
import { type LoadedSettings, loadSettings } from '../../src/adapters/config/load-settings.js'
import { type ReadFile, readText } from '../../src/adapters/config/read-file.js'

const ROOT = new URL('../../', import.meta.url)

/** The path of a file of the project on this machine. */
export function pathOf(name: string): string {
  return fileURLToPath(new URL(name, ROOT))
}

/** The text of a file of the project. */
export function textOf(name: string): string {
  return readFileSync(pathOf(name), 'utf8')
}

/** The files under `folder`, as paths from the project's root, sorted. */
export function filesUnder(folder: string): string[] {
  return readdirSync(pathOf(folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => `${parentPath}/${name}`.slice(pathOf('.').length))
    .sort()
}

/** The documents of a YAML file. Throws where it isn't quite YAML, a key that is given twice included. */
export function yamlDocuments<T = unknown>(name: string): T[] {
  return parseAllDocuments(textOf(name), { strict: true, uniqueKeys: true }).map((document) => {
    const [problem] = [...document.errors, ...document.warnings]
    if (problem !== undefined) throw new Error(`${name}: ${problem.message}`)
    return document.toJS() as T
  })
}

/** What Warren makes of one of the project's configuration files, where every secret that it names is there. */
export function loadDeployed(name: string): LoadedSettings {
  const readFile: ReadFile = (path) =>
    path.startsWith('/run/secrets/') ? `secret-of-${path}` : readText(path)
  return loadSettings({ argv: ['--config', pathOf(name)], env: {}, cwd: pathOf('.'), readFile })
}
