/** The exit codes of `warren`, as service managers understand them. */

export const EXIT_OK = 0
/** Something was cut off at shutdown, or was still in the publish buffer; or a bug ended the process. */
export const EXIT_FAILURE = 1
/** The configuration is wrong: starting again won't help (EX_CONFIG). */
export const EXIT_CONFIGURATION = 78
/** The address or the journal can't be had now: a service manager may try again (EX_UNAVAILABLE). */
export const EXIT_UNAVAILABLE = 69
