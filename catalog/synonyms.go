package catalog

import "strings"

// commonWords are the stems that nearly any tool may use about itself.
var commonWords = stemSet(`
	get set use using provide return tool api data information info given specific
	specified based available support include including current value parameter
	name type id list result option optional default string object field request
	response call function show make work help find want allow details detail all
	any new each item multiple number input output`)

// synonyms maps a stem to the groups of synonyms it is in. The groups hold what
// people and tool authors say for the same thing; they come from general
// knowledge of tools and are no thesaurus: near words that would pull in wrong
// tools are left out.
var synonyms = func() map[string][]string {
	m := make(map[string][]string)
	for _, line := range strings.Split(synonymGroups, "\n") {
		words := strings.Fields(line)
		for _, w := range words {
			st := stem(w)
			if g := m[st]; len(g) == 0 || g[len(g)-1] != words[0] {
				m[st] = append(g, words[0])
			}
		}
	}
	return m
}()

func stemSet(words string) map[string]bool {
	m := make(map[string]bool)
	for _, w := range strings.Fields(words) {
		m[stem(w)] = true
	}
	return m
}

// synonymGroups has one group a line, named by its first word.
const synonymGroups = `create add new insert register generate open make
delete remove erase drop destroy discard unlink rm purge clear uninstall
update edit modify change alter adjust revise patch set
get fetch retrieve read obtain show view display load see check
list enumerate browse ls overview
search find lookup query locate discover seek look
send post deliver dispatch share publish submit
message text chat dm sms reply notify notification
email mail gmail inbox mailbox
file document doc attachment
folder directory dir
image picture photo img artwork draw painting drawing
video movie film clip youtube
music song track audio playlist album artist sound
price cost quote fee rate cheap expensive value
stock share equity ticker invest investment portfolio trading market
crypto cryptocurrency bitcoin coin token blockchain ethereum wallet
weather forecast temperature climate rain humidity
location place address coordinate geocode position gps where
route direction navigation map distance drive travel
flight airline airport plane fly ticket
hotel accommodation lodging stay room airbnb
travel trip vacation tourism itinerary tourist holiday journey
book reserve reservation booking
calendar event meeting appointment schedule agenda
task todo ticket issue reminder
bug error issue exception crash
user account member person profile customer contact
repository repo project git github
pr pull merge
database db sql table postgres mysql
run execute launch invoke start exec command
stop kill terminate halt end shutdown cancel
restart reboot
website webpage url page link site web internet online
scrape crawl extract
translate translation language
transcribe transcript transcription subtitle caption speech
summarize summary tldr digest abstract overview
convert transform conversion
calculate compute math arithmetic equation calculator
job career employment hire vacancy resume
recipe cook food meal dish cuisine ingredient diet nutrition
restaurant dining eat food
game play gaming
news article headline
paper research academic scholarly arxiv journal literature study
buy purchase order shop shopping product store deal
discount coupon promo deal
pay payment invoice bill charge billing
money currency exchange forex
finance financial bank loan mortgage budget
log history audit trace
permission access authorize role privilege
login signin authenticate auth
copy clone duplicate cp
move transfer mv relocate
compress zip archive
chart graph plot diagram visualization visualize
note memo
remember memory knowledge store
container docker pod
cluster kubernetes k8s
machine server host instance vm
monitor metric health
learn course education lesson teach tutor
kid child toddler baby
doctor medical health medicine disease symptom
exercise fitness workout gym
house home property estate realtor apartment rent
car vehicle auto automobile
law legal court attorney contract
password secret credential key
screenshot capture snapshot
click tap press
type fill enter
open navigate goto visit
time date clock timezone
joke fun humor
gift present
horoscope astrology zodiac tarot fortune
code program script software developer
pdf document
presentation slide ppt powerpoint
spreadsheet excel sheet csv
compare diff difference
size length count number
rename name
undo revert rollback reset
write save store
word vocabulary dictionary definition
movie tv show
dream sleep
love relationship dating
review rating feedback opinion
domain dns whois
seo keyword ranking
tweet twitter retweet
sport football soccer basketball nba league match team`
