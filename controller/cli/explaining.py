"""policy explain: every policy, whether it is about one object, what it contributes, and what is in force."""
