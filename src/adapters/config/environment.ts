/** What the environment says. */
import type { GivenValue } from './given-value.js'
import { nearestName } from './nearest-name.js'
import { type ConfigurationEntry, entries } from './schema.js'

/** An empty variable counts as not set, which is how containers pass "nothing". */
export type Environment = Readonly<Record<string, string | undefined>>

/** Names the configuration file. */
export const FILE_VARIABLE = 'AMQP_CONFIG'

interface Variable {
  readonly name: string
  readonly entry: ConfigurationEntry
  readonly isPath: boolean
}

const variables: readonly Variable[] = entries
  .flatMap((entry) => [
    ...[entry.env, entry.alias].map((name) => ({ name, entry, isPath: false })),
    ...(entry.file === undefined
      ? []
      : [entry.file.env, entry.alias && `${entry.alias}_FILE`].map((name) => ({
          name,
          entry,
          isPath: true,
        }))),
  ])
  .filter((variable): variable is Variable => variable.name !== undefined)

/** Every variable that is one of Warren's settings. */
export const variableNames: readonly string[] = [...variables.map(({ name }) => name), FILE_VARIABLE]

/** Those that may hold a secret, rather than the path of one. */
export const secretVariables: readonly string[] = variables
  .filter(({ entry, isPath }) => entry.secret !== undefined && !isPath)
  .map(({ name }) => name)

/** The values in the environment, in the order of the schema. */
export function valuesInEnvironment(env: Environment): GivenValue[] {
  return variables.flatMap(({ name, entry, isPath }) =>
    env[name] ? [{ entry, value: env[name], source: `environment ${name}` as const, isPath }] : [],
  )
}

/** What Kubernetes sets for every service in a pod's namespace, such as AMQP_PORT=tcp://10.0.0.1:5672 for one called `amqp`. */
const serviceLink = /^[a-z]+:\/\/[\d.:[\]a-f]+$/i

/**
 * Variables with our prefix that are no setting of Warren. The prefix isn't ours alone, so that they only get a warning; one that is
 * nearly a setting's name is a slip, and a Warren that ignored it might run without the TLS or the limit that was meant.
 */
export function unknownVariables(env: Environment): { problems: string[]; warnings: string[] } {
  const problems: string[] = []
  const warnings: string[] = []
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('AMQP_') || variableNames.includes(name)) continue
    const nearest = value && !serviceLink.test(value) ? nearestName(name, variableNames) : undefined
    if (nearest === undefined) warnings.push(`environment ${name}: not a setting of Warren, ignored`)
    else problems.push(`unknown environment variable ${name}: did you mean ${nearest}?`)
  }
  return { problems, warnings }
}
