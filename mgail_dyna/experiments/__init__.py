"""Many runs, each in a process of its own, recorded once each; and the tables and figures made from the records."""
