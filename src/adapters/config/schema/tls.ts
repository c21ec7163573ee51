/** The section `tls`: TLS with clients. */
import type { ClientCertificates, TlsVersion } from '../../../application/settings.js'
import type { IdentityField } from '../../../domain/external-identity.js'
import type { TextList } from '../text-list.js'
import type { Section } from './entry.js'
import { choice, list, pem, port, trueOrFalse } from './kinds.js'

export interface TlsValues {
  enabled: boolean
  port: number
  cert: TextList
  key: TextList
  ca: string
  client_certificates: ClientCertificates | 'auto'
  min_version: TlsVersion
  external_name: IdentityField
  external_logins: TextList
}

export const tls: Section<TlsValues> = {
  enabled: trueOrFalse(false, 'Whether clients are accepted with TLS.'),
  port: port(5671, 'Port on which clients are accepted with TLS'),
  cert: pem(
    'Certificate with its chain. Several, separated by commas or in a list in the file, are chosen from by the server name that the client asks for; the first is for all others.',
  ),
  key: pem('Private key of the certificate; of several, one for each, in the same order.'),
  ca: pem('Certificates of those who issue the certificates of clients.'),
  client_certificates: choice<ClientCertificates | 'auto'>(
    'auto',
    ['auto', 'none', 'optional', 'required'],
    'Whether clients need a certificate that tls.ca has issued; auto requires one if there is a tls.ca.',
    'which',
  ),
  min_version: choice<TlsVersion>(
    'TLSv1.2',
    ['TLSv1.2', 'TLSv1.3'],
    'Oldest version of TLS that clients may speak.',
    'version',
  ),
  external_name: choice<IdentityField>(
    'common_name',
    ['common_name', 'dns', 'email', 'uri'],
    'Which name in a client certificate counts for EXTERNAL: the common name, or a subject alternative name of this type.',
    'name',
  ),
  external_logins: list(
    'external_logins',
    'NAME=USER:PASSWORD, or several, with % and the characters , = : percent-encoded',
    'Allows EXTERNAL for the client certificates with these names, each with the user and password at the broker.',
  ),
}
