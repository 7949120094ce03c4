# SPDX-License-Identifier: Apache-2.0
"""What the integration tests stand on: database, service, receiver, client, contract."""
