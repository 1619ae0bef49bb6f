"""Build an image from a Dockerfile without a registry: buildah, on a Python base that is made of Debian's packages.

Packages and wheels are fetched before; the build itself has no network. What is made is kept in the user's cache.
"""
