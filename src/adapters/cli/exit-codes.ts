/** The exit codes of warrenctl, for scripts. */

export const EXIT_OK = 0
/** The server said no: an unknown client, a limit below the active connections. */
export const EXIT_REFUSED = 1
/** The command line is wrong (as in bash and many others). */
export const EXIT_USAGE = 2
/** `health`: Warren runs, but can't serve clients. */
export const EXIT_NOT_READY = 3
/** There is no server there (EX_UNAVAILABLE). */
export const EXIT_UNREACHABLE = 69
