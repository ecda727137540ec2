#!/bin/sh
# Galaxy's script of this name makes a Python environment and builds the client. Here one program is all: there is nothing
# to set up. It is kept so that procedures which call it go on working; every option is accepted.
echo "Orrery is one program: there is nothing to set up."
