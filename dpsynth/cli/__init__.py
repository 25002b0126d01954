"""The command line: each command parses, calls one public function, prints, and returns a code."""
