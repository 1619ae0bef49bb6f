"""`kubectl actions ...`: what people type. Each module draws or does one thing; `main` only names the commands."""
