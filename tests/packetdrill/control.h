/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 pmtcp authors
 */

/* What a script asks of its host by sysctl: bin/sysctl writes it to a file, and here it
 * becomes part of the profile. */

#ifndef PMTCP_PACKETDRILL_CONTROL_H
#define PMTCP_PACKETDRILL_CONTROL_H

#include "packetdrill/profile.h"

/* Lines of name=value from the file named by PMTCP_CONTROL_FILE; without one, nothing.
 * Names that mean nothing to us are passed over, a value that cannot be had is told. */
void control_read(struct profile *profile);

#endif /* PMTCP_PACKETDRILL_CONTROL_H */
