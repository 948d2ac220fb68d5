-- Forgets the attempts of a name: its owner logged in, or its password is another now.
-- $1 who: 'name:<name>'
delete from login_attempts where key = sha256(convert_to(tocsin_fold($1), 'UTF8'))
