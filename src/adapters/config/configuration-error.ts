/**
 * The configuration can't be used. The message is one line for the operator and holds no secret;
 * it has no `cause`, since a parser's own error may quote the file with a password in it.
 */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError'
}
